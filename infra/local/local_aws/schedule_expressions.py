"""Schedule expressions: when `rate(…)`, `cron(…)` and `at(…)` come next.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import calendar
import datetime
import re

UNITS = {"minute": 60, "hour": 3600, "day": 86400}
MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
#: A cron expression whose next time is further away than this has none.
LONGEST_AHEAD = datetime.timedelta(days=366 * 8)


def after(expression, zone, moment, start):
    """The next time later than `moment`, in seconds since the epoch, or None. A rate counts from `start`.

    Raises ValueError for what is no expression.
    """
    if found := re.fullmatch(r"rate\(([1-9]\d*) (minute|hour|day)(s?)\)", expression):
        count, unit, plural = int(found[1]), UNITS[found[2]], found[3]
        if (count == 1) == bool(plural):
            raise ValueError(expression)
        step = count * unit
        return start + step * (int((moment - start) // step) + 1) if moment >= start else start
    if found := re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", expression):
        at = datetime.datetime.fromisoformat(found[1]).replace(tzinfo=zone).timestamp()
        return at if at > moment else None
    if found := re.fullmatch(r"cron\((.+)\)", expression):
        return _next(Cron(found[1]), zone, moment)
    raise ValueError(expression)


def _next(cron, zone, moment):
    local = datetime.datetime.fromtimestamp(moment, zone)
    day, last = local.date(), local.date() + LONGEST_AHEAD
    while day <= last:
        if cron.has_day(day):
            for hour in sorted(cron.hours):
                for minute in sorted(cron.minutes):
                    at = datetime.datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                    exists = at.astimezone(datetime.UTC).astimezone(zone).replace(tzinfo=None) == at.replace(
                        tzinfo=None
                    )
                    if exists and at.timestamp() > moment:  # in spring an hour is left out
                        return at.timestamp()
        day += datetime.timedelta(days=1)
    return None


class Cron:
    """Minutes, hours, day of month, month, day of week and year; one of the two days is `?`."""

    def __init__(self, text):
        fields = text.split(" ")
        if len(fields) != 6:
            raise ValueError(text)
        minutes, hours, self._date, months, self._weekday, years = (field.upper() for field in fields)
        if (self._date == "?") == (self._weekday == "?"):
            raise ValueError(text)
        self.minutes, self.hours = _numbers(minutes, 0, 59), _numbers(hours, 0, 23)
        self._months, self._years = _numbers(months, 1, 12, MONTHS), _numbers(years, 1970, 2199)
        self.has_day(datetime.date(2000, 1, 1), always=True)  # refuses what it cannot read

    def has_day(self, day, always=False):
        if not always and (day.year not in self._years or day.month not in self._months):
            return False
        return self._has_date(day) if self._weekday == "?" else self._has_weekday(day)

    def _has_date(self, day):
        last = calendar.monthrange(day.year, day.month)[1]
        if self._date == "L":
            return day.day == last
        if found := re.fullmatch(r"(\d+)W", self._date):
            return day == _nearest_weekday(day, min(int(found[1]), last), last)
        return day.day in _numbers(self._date, 1, 31)

    def _has_weekday(self, day):
        number = day.isoweekday() % 7 + 1
        if found := re.fullmatch(r"(\w+)#([1-5])", self._weekday):
            return number == _number(found[1], WEEKDAYS) and (day.day - 1) // 7 + 1 == int(found[2])
        if found := re.fullmatch(r"(\w+)L", self._weekday):
            is_last = day.day + 7 > calendar.monthrange(day.year, day.month)[1]
            return number == _number(found[1], WEEKDAYS) and is_last
        return number in _numbers(self._weekday, 1, 7, WEEKDAYS)


def _nearest_weekday(day, wanted, last):
    date = day.replace(day=wanted)
    if date.isoweekday() == 6:
        return date.replace(day=wanted - 1 if wanted > 1 else 3)
    if date.isoweekday() == 7:
        return date.replace(day=wanted + 1 if wanted < last else wanted - 2)
    return date


def _numbers(field, low, high, names=None):
    """All numbers that a field stands for."""
    found = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = (_number(end, names) for end in span.split("-", 1))
        else:
            first = _number(span, names)
            last = high if step else first
        if not low <= first <= last <= high or (step and int(step) < 1):
            raise ValueError(field)
        found |= set(range(first, last + 1, int(step or 1)))
    return found


def _number(text, names):
    return names[text] if names and text in names else int(text)
