"""Users: who they are, and their administration."""
