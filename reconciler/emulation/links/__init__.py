"""The emulated datalinks of illumos: dladm, ipadm, route, netstat, and nictagadm with /usbkey/config on SmartOS."""
