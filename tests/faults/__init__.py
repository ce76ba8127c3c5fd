"""Every process of a living system is killed, at every boundary and at random, and nothing is lost or doubled."""
