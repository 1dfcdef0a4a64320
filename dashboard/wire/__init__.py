"""Pure ASGI layers around every request. None of them buffers or wraps a body: the live stream passes through."""
