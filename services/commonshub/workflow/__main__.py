from .app import WorkflowApp

WorkflowApp.launch_instance()
