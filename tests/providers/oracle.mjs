// Reads streams of chunks as lines of JSON and answers with the parts that the AI SDK's reader makes of them.
import { readUIMessageStream } from "ai";
import { createInterface } from "node:readline";

async function parts(chunks) {
  const stream = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      // Not every chunk makes the reader emit its message; this one does, and changes no part.
      controller.enqueue({ type: "message-metadata", messageMetadata: {} });
      controller.close();
    },
  });
  let last = [];
  let error = null;
  const onError = (reason) => (error = String(reason?.message ?? reason));
  for await (const message of readUIMessageStream({ stream, onError })) last = message.parts;
  return error === null ? { parts: last } : { error };
}

for await (const line of createInterface({ input: process.stdin })) {
  const answers = [];
  for (const chunks of JSON.parse(line))
    answers.push(await parts(chunks).catch((e) => ({ error: String(e) })));
  process.stdout.write(JSON.stringify(answers) + "\n");
}
