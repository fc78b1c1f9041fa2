"""The demo: an embedded mail server, a sample mailbox, and the daemon's own way of one mail between them."""
