"""A web page that says where it is served from: with an installer and a daemon."""
