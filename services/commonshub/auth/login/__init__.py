"""Sign-in by an OpenID provider, sessions of browsers, and what a reverse proxy asks about them."""
