from .app import PortalApp

PortalApp.launch_instance()
