"""What trained agents have learned."""
