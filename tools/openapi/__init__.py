"""The OpenAPI 3.1 document, its page and the sample events, generated from routes and models."""
