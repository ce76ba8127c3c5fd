"""The world: each port of the application made real, and the one place where the parts are joined."""
