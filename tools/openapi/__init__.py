"""The OpenAPI 3.1 document and the sample events, generated from routes and models."""
