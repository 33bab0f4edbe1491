"""Admin page: what belongs to everybody, for those who may administer the app."""
