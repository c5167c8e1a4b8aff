"""One clip, or many, on several machines: segments are sampled apart, joined as one process joins them, and come back in order.

A segment's latent depends on its own frames and on noise that belongs to (seed, frame), never on another segment. Only the
cross-fades look at neighbours: once between sampling and decoding, once after it. So there are three kinds of work, and the second
and third wait for the one before in those neighbours whose frames they share.
"""

from mgld import light

light.start()  # a worker's process is our own; Ray lets it begin with what it is to do
