"""One file a group of pages: each turns a request into calls of the workflow and a value into a page."""
