"""The service: a process that stays warm, and trains what is submitted in packs that form by themselves."""
