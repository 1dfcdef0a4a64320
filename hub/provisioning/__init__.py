"""Installing devices: pairing, keys and PINs into the gateway's secrets folder, registry entries to be imported."""
