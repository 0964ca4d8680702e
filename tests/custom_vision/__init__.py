"""A server that speaks as Custom Vision's training API does, over real sockets."""
