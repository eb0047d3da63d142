"""The recharge adapters there are. An account at a provider is configured in the console."""
