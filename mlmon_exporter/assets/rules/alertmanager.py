"""A working example of Alertmanager's configuration: receivers, grouping, inhibition."""

from __future__ import annotations

from typing import NamedTuple

from .settings import PLACE, Settings

WEBHOOK = "http://localhost:5001"


class Inhibition(NamedTuple):
    """Alerts that are held back while another fires."""

    why: str
    source: str
    """Matcher of the alert that says more."""
    target: str
    """Matcher of the alerts that say less."""
    equal: tuple[str, ...]
    """Labels whose values must be equal; absent ones count as equal, so all must have them."""

    def text(self) -> str:
        """Return the rule as the file has it."""
        return f"""\
  # {self.why}
  - source_matchers: ['{self.source}']
    target_matchers: ['{self.target}']
    equal: [{", ".join(self.equal)}]"""


def _named(name: str) -> str:
    return f'alertname="{name}"'


MODEL, TARGET = (*PLACE, "model"), (*PLACE, "instance")
VERSION = (*MODEL, "version")
INHIBITIONS = (
    *(
        Inhibition("What burns fast burns slowly as well.", _named(fast), _named(slow), MODEL)
        for fast, slow in (
            ("MlmonErrorBurnFast", "MlmonErrorBurnSlow"),
            ("MlmonLatencyBurnFast", "MlmonLatencyBurnSlow"),
        )
    ),
    Inhibition(
        "Nothing is less than half.",
        _named("MlmonNoPredictions"),
        _named("MlmonTrafficDrop"),
        MODEL,
    ),
    Inhibition(
        "What is down cannot be drifting.",
        'alertname=~"MlmonReplicasDown|MlmonModelNotServed"',
        'subsystem=~"serving|data|drift|quality|fairness|kpi"',
        MODEL,
    ),
    Inhibition(
        "Its targets do not answer: that no target has it says no more.",
        _named("MlmonReplicasDown"),
        _named("MlmonModelNotServed"),
        MODEL,
    ),
    Inhibition(
        "A target that does not answer is slow, too.",
        _named("MlmonTargetDown"),
        _named("MlmonScrapeSlow"),
        TARGET,
    ),
    Inhibition(
        "Rows in the bins of different references do not add up.",
        _named("MlmonReferenceInconsistent"),
        _named("MlmonFleetDrift"),
        VERSION,
    ),
    Inhibition(
        "One ticket for the model: none for each of its features and outputs.",
        _named("MlmonFleetDrift"),
        'alertname=~"Mlmon(Feature|Prediction|Joint)Drift"',
        VERSION,
    ),
    Inhibition(
        "A page for the model: no ticket for each of its numbers.",
        _named("MlmonFleetQualityDrop"),
        _named("MlmonQualityDrop"),
        VERSION,
    ),
    Inhibition(
        "A feature that drifted alone no longer goes with the others either.",
        _named("MlmonFeatureDrift"),
        _named("MlmonJointDrift"),
        VERSION,
    ),
    Inhibition(
        "The cause is known: drift of the same feature says no more.",
        'subsystem="data"',
        _named("MlmonFeatureDrift"),
        (*VERSION, "feature"),
    ),
)
"""Each is exact: an alert holds back those that it implies or explains, and no others."""
TEMPLATE = """\
# An example that works as it is: it sends all to a webhook. Choose receivers at the end.
# Made by `python -m mlmon_exporter.assets.rules` from alertmanager.py there.
route:
  receiver: root  # what no route below takes: nothing of ours
  group_by: [cluster, namespace, job, subsystem]  # by job and cause
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
    # Servers that are gone: an outage of a zone is one page with all their names, not one a job.
    - matchers: ['severity="critical"', 'subsystem="targets"']
      receiver: pager
      group_by: [cluster, alertname]
    - matchers: ['severity="critical"']
      receiver: pager
    - matchers: ['severity="warning"']
      receiver: tickets
      group_by: [cluster, namespace, job, model, subsystem]
      repeat_interval: {repeat_tickets}  # some last for months; Alertmanager forgets after 5d
    - matchers: ['severity="info"']
      receiver: nowhere

inhibit_rules:
{inhibitions}

receivers:
  - name: root
    webhook_configs: [{{url: "{webhook}/root"}}]
  - name: pager
    webhook_configs: [{{url: "{webhook}/pager"}}]
    # pagerduty_configs:
    #   - routing_key_file: /etc/alertmanager/pagerduty.key
    #     description: '{{{{ range .Alerts.Firing }}}}{{{{ .Annotations.summary }}}}; {{{{ end }}}}'
    #     client_url: '{{{{ (index .Alerts 0).Annotations.dashboard_url }}}}'
  - name: tickets
    webhook_configs: [{{url: "{webhook}/tickets"}}]
    # slack_configs:
    #   - api_url_file: /etc/alertmanager/slack.url
    #     channel: "#models"
    #     title: '{{{{ .GroupLabels.job }}}} {{{{ .GroupLabels.model }}}}'
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
        settings: Only the pace matters.
        webhook: Address that all receivers send to, each under its name.
    """
    return TEMPLATE.format(
        group_wait=settings.span("30s"),
        group_interval=settings.span("5m"),
        repeat=settings.span("4h"),
        repeat_tickets=settings.span("3d"),
        inhibitions="\n".join(rule.text() for rule in INHIBITIONS),
        beat=settings.span("5m"),
        before_beat=settings.span("4m"),
        webhook=webhook.rstrip("/"),
    )
