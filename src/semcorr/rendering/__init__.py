"""Backends behind one interface: ray caster (Embree) and Blender (own process)."""
