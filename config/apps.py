from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # Binds every shared_task to our Celery application, so that web processes enqueue to the right broker.
        from config import celery  # noqa: F401, PLC0415 - needs the app registry
