"""The pages: HTML over the operations. They show; whatever they change, they ask the API for."""
