"""The wire: the only room that speaks to Azure Resource Manager.

Implements the ports of `patchmode.ports.azure` on azure-core's asynchronous pipeline.
Importing `session` loads neither azure-core nor aiohttp: they are loaded when a connection is opened.
"""
