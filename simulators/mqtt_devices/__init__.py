"""Stand-ins for MQTT devices of other makers, written from their protocols: what they say, and what they obey.

Each stand-in is pure: it returns the messages it would publish. `wire.Wire` puts it on a broker.
"""
