"""Numbers as a person reads them, and what they mean in a sentence."""
import html


def escape(value):
    return html.escape(str(value), quote=True)


def count(n):
    return f"{int(n):,}"


def short(value):
    """1234567 -> 1.23 M"""
    for limit, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def seconds(value):
    if value <= 0:
        return "0 s"
    for limit, scale, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1, 1e3, "ms"), (120, 1, "s")):
        if value < limit:
            return f"{value * scale:.3g} {unit}"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def size(n_bytes):
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n_bytes >= limit:
            return f"{n_bytes / limit:.3g} {unit}"
    return f"{int(n_bytes)} bytes"


def percent(share):
    value = 100 * share
    if 0 < value < 0.1:
        return "< 0.1 %"
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.1f} %"


def plural(n, noun):
    return f"{count(n)} {noun}{'' if n == 1 else 's'}"


def listed(words):
    words = list(words)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def quantile(lower, counts, q):
    """Midpoint of the bucket that holds the quantile, as dn_hist_quantile has it. Seconds."""
    seen = counts.cumsum()
    if not len(seen) or not seen[-1]:
        return 0.0
    i = int((seen >= q * float(seen[-1])).argmax())
    upper = lower[i + 1] if i + 1 < len(lower) else lower[i]
    return (float(lower[i]) + (float(upper) - float(lower[i])) / 2) / 1e9


def drift(column):
    """What became of a column that was compared with a baseline."""
    if column["psi_max"] > column["warn"]:
        return f"{column['column']} has changed"
    return f"{column['column']} is not quite as it was" if column["psi_max"] > column["notice"] else ""


# name, as the subject of a sentence: limit(s), was or were
CREWS = {"poll": ("the poll thread", "limits", "It was"), "text": ("the text workers", "limit", "They were"),
         "model": ("the model", "limits", "It was"), "prepare": ("the threads that make records", "limit", "They were"),
         "sink": ("the sink threads", "limit", "They were")}


def contention(busy_s, cpu_s):
    """Whether the threads that compute got the cores they were given; "" when they did, or when that cannot be said."""
    if busy_s < 1 or cpu_s >= 0.7 * busy_s:
        return ""
    return (f"The cores were not theirs alone: text workers, model and makers of records were at work for "
            f"{seconds(busy_s)} of thread time, and the "
            f"whole program got {seconds(cpu_s)} of CPU time.")


def verdict(pipeline, lanes, cpu_share):
    """(headline, why): what limits the pipeline, from how its crews of threads spent their time and how full the cores were."""
    if not lanes:
        return "No stage times were recorded", "The run did not come to its end, so its parts did not report."
    at = max(range(len(lanes)), key=lambda i: lanes[i]["busy"])
    top = lanes[at]
    name, limits, was = CREWS[top["crew"]]
    part = max(top["parts"], key=lambda item: item[1])
    inside = f", {percent(part[1])} in {part[0]} alone" if len(top["parts"]) > 1 else ""
    evidence = [f"{CREWS[lane['crew']][0]} blocked {percent(lane['blocked'])}" for lane in lanes[:at] if lane["blocked"] >= 0.05]
    evidence += [f"{CREWS[lane['crew']][0]} starved {percent(lane['starved'])}" for lane in lanes[at + 1:]
                 if lane["starved"] >= 0.05]
    because = f" Meanwhile: {listed(evidence)} of the time." if evidence else ""
    busy = f"busy {percent(top['busy'])} of the time{inside}."
    if top["busy"] >= 0.6:
        return f"{name[0].upper() + name[1:]} {limits} {pipeline}", f"{was} {busy}{because}"
    if lanes[0]["starved"] >= 0.6:
        return (f"{pipeline} waited for its input",
                f"Its poll thread had nothing to read {percent(lanes[0]['starved'])} of the time. Busiest: {name}, {busy}")
    if cpu_share and cpu_share >= 0.85:
        return (f"The cores limit {pipeline}", f"{percent(cpu_share)} of their time was used, by threads that wait for each other. "
                f"Busiest: {name}, {busy}{because}")
    return (f"No part of {pipeline} is at its limit", f"Busiest: {name}, {busy}{because}")
