"""The bundled boards, rules and runbooks."""
