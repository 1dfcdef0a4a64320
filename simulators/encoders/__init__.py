"""The shortest kind of simulator: a file of the device type's name writes what the device says, from its datasheet.

Each file has `SAYS`: the fact, as the hub's catalogue calls it → the channel it is heard on (`adv:fd5d`, a
characteristic, a topic's last part, empty for a raw line) and the bytes. Nothing of the hub's is imported, so that
encoder and decoder are not wrong together. A device that answers, keeps state or has faults is a class in the folder of
its wire; one that scenarios shall play gets a row in `simulators/scenario/words.py` besides.
"""
