"""The JSON API, /api/v1: the same desk, the same access checks and the same trail as the screens."""

from hub.api.app import Api, make_api

__all__ = ["Api", "make_api"]
