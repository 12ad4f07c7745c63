"""Panels of every kind we use; each says what it shows, in which unit, and what it says when there is no data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import bargauge, heatmap, nodegraph, stat, statetimeline, statushistory
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import logs as logs_panel
from grafana_foundation_sdk.builders import table as table_panel
from grafana_foundation_sdk.builders import timeseries as timeseries_panel
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode

from . import palette
from .links import Link
from .queries import PROMETHEUS

Target = Any  # a builder of any data source's query; the SDK has no name for them all
Unit = str

WIDE, HALF, THIRD, QUARTER, SIXTH = 24, 12, 8, 6, 4
MIN_COLUMN = 90  # pixels
# Of lines of many platforms: each point is computed for all of them, whichever are shown.
MANY_POINTS = 100
# What happened within a step is counted over four scrapes at least: with shorter steps it would be drawn several times.
COUNTED_OVER = "1m"


def _common(
    panel: Any,
    title: str,
    about: str,
    targets: Sequence[Target],
    *,
    unit: Unit,
    none: str,
    width: int,
    height: int,
    links: Sequence[Link] = (),
    source: common.DataSourceRef = PROMETHEUS,
) -> Any:
    panel.title(title).description(about).datasource(source).unit(unit).no_value(none)
    panel.grid_pos(model.GridPos(h=height, w=width))
    if links:
        panel.data_links(list(links))
    return panel.targets(list(targets))


def _built(builder: Any) -> model.Panel:
    panel: model.Panel = builder.build()
    return panel


def value(
    title: str,
    about: str,
    *targets: Target,
    unit: Unit,
    none: str,
    colours: Sequence[model.Threshold],
    mappings: Sequence[model.ValueMapping] = (),
    links: Sequence[Link] = (),
    decimals: int | None = None,
    name: bool = False,
    each: Mapping[str, Sequence[model.Threshold]] | None = None,
    width: int = SIXTH,
    height: int = 4,
) -> model.Panel:
    """One number, or word, of now.

    `name`: the series' name is what is shown; `each`: several numbers with their names, and the colours of each.
    """
    panel = _common(stat.Panel(), title, about, targets, unit=unit, none=none, width=width, height=height, links=links)
    panel.thresholds(builders.ThresholdsConfig().steps(palette.neutral_without_data(colours)))
    panel.color_scheme(builders.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    panel.color_mode(common.BigValueColorMode.VALUE).graph_mode(common.BigValueGraphMode.NONE)
    panel.text_mode(common.BigValueTextMode.NAME if name else common.BigValueTextMode.VALUE)
    if each:
        panel.text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        for series, steps in each.items():
            found = {"mode": "absolute", "steps": palette.neutral_without_data(steps)}
            panel.override_by_name(series, [model.DynamicConfigValue("thresholds", found)])
    panel.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    if mappings:
        panel.mappings(list(mappings))
    if decimals is not None:
        panel.decimals(decimals)
    return _built(panel)


def over_time(
    title: str,
    about: str,
    *targets: Target,
    unit: Unit,
    none: str,
    colours: Mapping[str, str] | None = None,
    limits: Sequence[model.Threshold] = (),
    stacked: bool = False,
    bars: bool = False,
    links: Sequence[Link] = (),
    maximum: float | None = None,
    lowest: float | None = 0,
    width: int = HALF,
    height: int = 8,
    source: common.DataSourceRef = PROMETHEUS,
) -> model.Panel:
    """Lines over time. `colours` by the series' name; `limits` are drawn as lines across."""
    panel = _common(
        timeseries_panel.Panel(),
        title,
        about,
        targets,
        unit=unit,
        none=none,
        width=width,
        height=height,
        links=links,
        source=source,
    )
    panel.line_width(2).fill_opacity(60 if stacked or bars else 8).show_points(common.VisibilityMode.AUTO)
    panel.span_nulls(False)
    if bars:
        panel.draw_style(common.GraphDrawStyle.BARS)
        if source is PROMETHEUS:
            panel.interval(COUNTED_OVER)
    if stacked or bars:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if lowest is not None:
        panel.min(lowest)
    if maximum is not None:
        panel.max(maximum)
    if limits:
        panel.thresholds(builders.ThresholdsConfig().steps(list(limits)))
        panel.thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    else:
        panel.thresholds(builders.ThresholdsConfig().steps(palette.fixed()))
    panel.legend(
        common_builders.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    panel.tooltip(
        common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    )
    for name, colour in (colours or {}).items():
        panel.override_by_name(name, [model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})])
    return _built(panel)


def compared(title: str, about: str, *targets: Target, **how: Any) -> model.Panel:
    """Lines over time of many platforms, as `over_time` takes them; those that stand out are seen with fewer points."""
    panel = over_time(title, about, *targets, **how)
    panel.max_data_points = MANY_POINTS
    return panel


def timeline(
    title: str,
    about: str,
    target: Target,
    names: Mapping[str, tuple[int, str]],
    *,
    none: str,
    links: Sequence[Link] = (),
    width: int = WIDE,
    height: int = 10,
    many: bool = False,
) -> model.Panel:
    """A band a series, in the state it was; states are told in words as well. `many`: as `compared`."""
    panel = _common(
        statetimeline.Panel(), title, about, [target], unit="none", none=none, width=width, height=height, links=links
    )
    panel.mappings(palette.numbered(names)).merge_values(True).row_height(0.85).fill_opacity(85).line_width(0)
    panel.show_value(common.VisibilityMode.AUTO).align_value(common.TimelineValueAlignment.LEFT)
    # by mappings alone: with colours of thresholds the panel tells those, "-∞+", where the states' names should be
    panel.color_scheme(builders.FieldColor().mode(model.FieldColorModeId.FIXED).fixed_color(palette.NEUTRAL))
    # how the legend calls gaps, which are not drawn; "" would be taken for 0
    panel.override_by_regexp(".*", [model.DynamicConfigValue("noValue", "no data")])
    panel.thresholds(builders.ThresholdsConfig().steps(palette.fixed(palette.NEUTRAL)))
    panel.legend(_legend()).tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.SINGLE))
    if many:
        panel.max_data_points(MANY_POINTS)
    return _built(panel)


def history(
    title: str,
    about: str,
    target: Target,
    *,
    unit: Unit,
    none: str,
    colours: Sequence[model.Threshold],
    links: Sequence[Link] = (),
    width: int = WIDE,
    height: int = 10,
) -> model.Panel:
    """A heat map: a row a series, a cell a moment, coloured by its value."""
    panel = _common(
        statushistory.Panel(), title, about, [target], unit=unit, none=none, width=width, height=height, links=links
    )
    panel.thresholds(builders.ThresholdsConfig().steps(list(colours))).row_height(0.85).col_width(0.95).fill_opacity(85)
    panel.color_scheme(builders.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    # cells are too narrow for a number, which the tooltip has
    panel.show_value(common.VisibilityMode.NEVER).decimals(1).legend(_legend())
    panel.tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.SINGLE))
    # as many cells as can be told apart on a wide screen
    return _built(panel.max_data_points(60))


def _legend() -> common_builders.VizLegendOptions:
    legend = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST)
    return legend.placement(common.LegendPlacement.BOTTOM).show_legend(True)


def buckets(
    title: str, about: str, target: Target, *, unit: Unit, none: str, width: int = HALF, height: int = 8
) -> model.Panel:
    """A histogram over time."""
    # the panel's unit is that of a cell, which is a number of answers; and cells are to be seen
    panel = _common(heatmap.Panel(), title, about, [target], unit="short", none=none, width=width, height=height)
    made = _built(panel.calculate(False).max_data_points(120).interval(COUNTED_OVER))
    options: Any = made.options
    options.color.mode = HeatmapColorMode.SCHEME
    options.color.scheme = "Cividis"
    options.y_axis.unit = unit
    return made


def bars(
    title: str,
    about: str,
    target: Target,
    *,
    unit: Unit,
    none: str,
    colours: Sequence[model.Threshold],
    links: Sequence[Link] = (),
    maximum: float | None = None,
    width: int = THIRD,
    height: int = 8,
) -> model.Panel:
    """A bar a series, of now."""
    panel = _common(
        bargauge.Panel(), title, about, [target], unit=unit, none=none, width=width, height=height, links=links
    )
    panel.thresholds(builders.ThresholdsConfig().steps(list(colours))).min(0)
    panel.color_scheme(builders.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    panel.orientation(common.VizOrientation.HORIZONTAL).display_mode(common.BarGaugeDisplayMode.BASIC)
    # a single bar would fill the panel, and have no name
    panel.sizing(common.BarGaugeSizing.MANUAL).max_viz_height(40).display_name("${__series.name}")
    panel.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    if maximum is not None:
        panel.max(maximum)
    return _built(panel)


class Column:
    """A column of a table: the field it is made of, its heading, and how it is shown."""

    def __init__(
        self,
        field: str,
        heading: str,
        unit: Unit | None = None,
        *,
        colours: Sequence[model.Threshold] = (),
        mappings: Sequence[model.ValueMapping] = (),
        links: Sequence[Link] = (),
        width: int | None = None,
        decimals: int | None = None,
    ) -> None:
        self.field = field
        self.heading = heading
        properties: list[tuple[str, Any]] = []
        if unit:
            properties.append(("unit", unit))
        if decimals is not None:
            properties.append(("decimals", decimals))
        if mappings:
            properties.append(("mappings", list(mappings)))
        if colours:
            properties.append(("thresholds", {"mode": "absolute", "steps": list(colours)}))
        if colours or mappings:
            properties.append(("custom.cellOptions", {"type": "color-text"}))
        if links:
            properties.append(("links", [link.build() for link in links]))
        if width:
            properties.append(("custom.width", width))
        self.properties = [model.DynamicConfigValue(key, content) for key, content in properties]


def table(
    title: str,
    about: str,
    *targets: Target,
    columns: Sequence[Column],
    none: str,
    sort: tuple[str, bool] | None = None,
    width: int = WIDE,
    height: int = 8,
    source: common.DataSourceRef = PROMETHEUS,
) -> model.Panel:
    """A row an entity: targets are merged by the labels they share. `sort`: heading, and whether the highest is first.

    Fields that are no column are left out.
    """
    panel = _common(
        table_panel.Panel(),
        title,
        about,
        targets,
        unit="short",
        none=none,
        width=width,
        height=height,
        source=source,
    )
    panel.thresholds(builders.ThresholdsConfig().steps(palette.fixed(palette.NEUTRAL)))
    fields = {column.field: column.heading for column in columns}
    panel.with_transformation(model.DataTransformerConfig("merge", options={}))
    panel.with_transformation(
        model.DataTransformerConfig("filterFieldsByName", options={"include": {"names": list(fields)}})
    )
    panel.with_transformation(
        model.DataTransformerConfig(
            "organize",
            options={
                "excludeByName": {},
                "indexByName": {name: index for index, name in enumerate(fields)},
                "renameByName": fields,
            },
        )
    )
    # what no data means is told of the table; else each empty cell, and what a link takes of it, would say it too
    panel.override_by_regexp(".*", [model.DynamicConfigValue("noValue", "")])
    for column in columns:
        if column.properties:
            panel.override_by_name(column.heading, column.properties)
    if sort:
        by = common_builders.TableSortByFieldState().display_name(sort[0]).desc(sort[1])
        panel.sort_by([by])
    # by itself a column is never narrower than 150, which puts the last of a table's out of sight
    return _built(panel.show_header(True).cell_height(common.TableCellHeight.SM).min_width(MIN_COLUMN))


def records(
    title: str,
    about: str,
    target: Target,
    *,
    none: str,
    source: common.DataSourceRef,
    links: Sequence[Link] = (),
    width: int = WIDE,
    height: int = 12,
) -> model.Panel:
    """Log records."""
    panel = _common(
        logs_panel.Panel(),
        title,
        about,
        [target],
        unit="none",
        none=none,
        width=width,
        height=height,
        source=source,
        links=links,
    )
    panel.show_time(True).wrap_log_message(True).enable_log_details(True).show_labels(False)
    panel.sort_order(common.LogsSortOrder.DESCENDING).dedup_strategy(common.LogsDedupStrategy.NONE)
    return _built(panel)


def graph(
    title: str, about: str, nodes: Target, edges: Target, *, none: str, link: Link, height: int = 26
) -> model.Panel:
    """Nodes and edges. `link`: where a click on a node leads."""
    panel = _common(nodegraph.Panel(), title, about, [nodes, edges], unit="none", none=none, width=WIDE, height=height)
    # of one column, which edges have not: the panel offers the links of every column, each again
    panel.override_by_name("title", [model.DynamicConfigValue("links", [link.build()])])
    return _built(panel)


def flame_graph(
    title: str,
    about: str,
    target: Target,
    *,
    none: str,
    source: common.DataSourceRef,
    earlier: str | None = None,
    width: int = WIDE,
    height: int = 16,
) -> model.Panel:
    """A flame graph with its table of functions. `earlier`: how much before the dashboard's time range."""
    panel = _common(
        # the SDK has no builder of its own for it
        builders.Panel().type("flamegraph"),
        title,
        about,
        [target],
        unit="none",
        none=none,
        width=width,
        height=height,
        source=source,
    )
    if earlier:
        panel.time_shift(earlier)
    return _built(panel)
