"""Pictures of the boards, drawn on live data in Chromium: `make boards`."""
