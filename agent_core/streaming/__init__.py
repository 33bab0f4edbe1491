"""Model steps as streams: events become chunks, chunks become parts."""
