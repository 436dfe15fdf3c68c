"""How we look at hosts and act on them: transports, facts, observation, execution.

Floor 2. The only place from which commands are run on a host.
"""
