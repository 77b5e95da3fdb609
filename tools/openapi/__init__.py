"""The OpenAPI 3.1 document: made from the functions' routes, the models, and one entry a route."""
