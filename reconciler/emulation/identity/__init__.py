"""The small tools that say what a host is: uname, hostname, hostid, sysinfo, kstat, and cat of the files for facts.

A tool that changes a host's links, zones or datasets belongs to a family of its own.
"""
