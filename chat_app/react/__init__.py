"""Small React components, written here, and their Python wrappers.

Each `.jsx` file does what a page cannot do from the server: smooth a stream of text, keep a draft,
follow the scroll, count seconds. The files are plain assets that Vite bundles; libraries from npm
are pinned exactly.
"""
