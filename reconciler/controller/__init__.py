"""The loop: look, plan, act, look again; when to, and for which hosts.

Floor 3. One pass is here too, so that `plan` and `apply` on the command line do exactly what the controller does.
"""
