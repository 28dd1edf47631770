"""Parts that sensors and operators share: wait options, deferral, state store, kill."""
