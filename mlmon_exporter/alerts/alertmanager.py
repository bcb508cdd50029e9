"""A working example of Alertmanager's configuration: who is told what, and what is left out."""

from __future__ import annotations

from .settings import Settings

WEBHOOK = "http://localhost:5001"
TEMPLATE = """\
# An example that works as it is: it sends all to a webhook. Choose receivers at the end.
# Made by `python -m mlmon_exporter.alerts`; change mlmon_exporter/alerts/alertmanager.py.
route:
  receiver: root  # what no route below takes: nothing of ours
  group_by: [job, model]
  group_wait: {group_wait}
  group_interval: {group_interval}
  repeat_interval: {repeat}
  routes:
    - matchers: ['severity="heartbeat"']
      receiver: heartbeat
      group_by: [alertname]
      group_wait: 0s
      group_interval: {beat}
      repeat_interval: {before_beat}  # shorter, or every other one would come too early to be sent
    - matchers: ['severity="critical"']
      receiver: pager
    - matchers: ['severity="warning"']
      receiver: tickets
    - matchers: ['severity="info"']
      receiver: nowhere

inhibit_rules:
  # A page says it all: no ticket for the same.
  - source_matchers: ['severity="critical"']
    target_matchers: ['severity="warning"']
    equal: [job, model, feature, output]
  # What is down cannot be drifting.
  - source_matchers: ['alertname="MlmonReplicasDown"']
    target_matchers: ['subsystem=~"serving|data|drift"']
    equal: [job, model]
  # Rows in the bins of different references do not add up.
  - source_matchers: ['alertname="MlmonReferenceInconsistent"']
    target_matchers: ['alertname=~"Mlmon(Fleet)?(Feature|Prediction)Drift"']
    equal: [job, model, version]
  # The cause is known: drift of the same feature says no more.
  - source_matchers: ['subsystem="data"']
    target_matchers: ['alertname="MlmonFeatureDrift"']
    equal: [job, model, version, feature]

receivers:
  - name: root
    webhook_configs: [{{url: "{webhook}/root"}}]
  - name: pager
    webhook_configs: [{{url: "{webhook}/pager"}}]
    # pagerduty_configs:
    #   - routing_key_file: /etc/alertmanager/pagerduty.key
    #     client_url: '{{{{ (index .Alerts 0).Annotations.dashboard_url }}}}'
  - name: tickets
    webhook_configs: [{{url: "{webhook}/tickets"}}]
    # slack_configs:
    #   - api_url_file: /etc/alertmanager/slack.url
    #     channel: "#models"
    #     title: '{{{{ .GroupLabels.model }}}}'
    #     text: '{{{{ range .Alerts }}}}{{{{ .Annotations.summary }}}} {{{{ end }}}}'
    # email_configs:
    #   - to: models@example.org
    #     from: alertmanager@example.org
    #     smarthost: smtp.example.org:587
    #     auth_username: alertmanager
    #     auth_password_file: /etc/alertmanager/smtp.password
  - name: heartbeat  # a service that calls you when this stops arriving
    webhook_configs: [{{url: "{webhook}/heartbeat", send_resolved: false}}]
  - name: nowhere
"""


def alertmanager_file(settings: Settings, webhook: str = WEBHOOK) -> str:
    """Return the configuration, its spans of time at the settings' pace.

    Args:
        settings: Of these, only the pace matters.
        webhook: Where all receivers send to, each under its name.
    """
    return TEMPLATE.format(
        group_wait=settings.span("30s"),
        group_interval=settings.span("5m"),
        repeat=settings.span("4h"),
        beat=settings.span("5m"),
        before_beat=settings.span("4m"),
        webhook=webhook.rstrip("/"),
    )
