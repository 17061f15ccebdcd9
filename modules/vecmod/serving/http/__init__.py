"""The door of a service: routes, admission, status. Everything that waits is a coroutine here and in flow/pipeline."""
