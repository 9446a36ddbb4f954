# ruff: noqa: E501 - queries and rows read better on one line
"""The published set of queries that this evaluator is held to, and those it must refuse.

Text only: what each must answer stands in `test_queries.py`, computed without the evaluator.
"""

# name -> (whether the order of the rows counts, the query)
QUERIES: dict[str, tuple[bool, str]] = {
    "q01_where_project_order": (
        True,
        r"""
Resources
| where type =~ 'Microsoft.Compute/virtualMachines'
| project id, name, location, subscriptionId, resourceGroup
| order by id asc
""",
    ),
    "q02_windows_patchmode": (
        True,
        r"""
Resources
| where type =~ 'microsoft.compute/virtualmachines'
| extend patchMode = tostring(properties.osProfile.windowsConfiguration.patchSettings.patchMode)
| where isnotempty(patchMode)
| project id, name, patchMode
| order by id asc
""",
    ),
    "q03_coalesce_both_os": (
        True,
        r"""
resources
| where type == 'microsoft.compute/virtualmachines'
| extend mode = coalesce(tostring(properties.osProfile.windowsConfiguration.patchSettings.patchMode), tostring(properties.osProfile.linuxConfiguration.patchSettings.patchMode), 'unset')
| summarize vms = count() by mode
| order by vms desc, mode asc
""",
    ),
    "q04_iff_os_branch": (
        False,
        r"""
Resources
| where type =~ 'microsoft.compute/virtualmachines'
| extend osType = tostring(properties.storageProfile.osDisk.osType)
| extend ps = iff(osType =~ 'windows', properties.osProfile.windowsConfiguration.patchSettings, properties.osProfile.linuxConfiguration.patchSettings)
| extend bypass = tobool(ps.automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule)
| where tostring(ps.patchMode) =~ 'automaticbyplatform' and bypass == true
| project name, osType, bypass
""",
    ),
    "q05_case_ladder": (
        False,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| extend mode = coalesce(tostring(properties.osProfile.windowsConfiguration.patchSettings.patchMode), tostring(properties.osProfile.linuxConfiguration.patchSettings.patchMode))
| extend verdict = case(mode == 'AutomaticByPlatform', 'ready', isempty(mode), 'unknown', mode in~ ('manual', 'automaticbyos'), 'windows-managed', 'image-default')
| summarize n = count() by verdict, location
""",
    ),
    "q06_summarize_autonames": (
        False,
        r"""
Resources
| where type =~ 'microsoft.compute/virtualmachines'
| summarize count() by subscriptionId, tostring(properties.storageProfile.osDisk.osType)
""",
    ),
    "q07_countif_dcount_pct": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| extend mode = coalesce(tostring(properties.osProfile.windowsConfiguration.patchSettings.patchMode), tostring(properties.osProfile.linuxConfiguration.patchSettings.patchMode))
| summarize total = count(), ready = countif(mode =~ 'AutomaticByPlatform'), regions = dcount(location) by subscriptionId
| extend pct = round(100.0 * ready / total, 2)
| order by pct desc, subscriptionId asc
| project subscriptionId, total, ready, regions, pct
""",
    ),
    "q08_join_assignments_leftouter": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| project vmId = tolower(id), name, subscriptionId
| join kind=leftouter (
    maintenanceresources
    | where type =~ 'microsoft.maintenance/configurationassignments'
    | extend vmId = tolower(tostring(properties.resourceId)), configId = tolower(tostring(properties.maintenanceConfigurationId))
    | project vmId, configId
  ) on vmId
| project name, configId
| order by name asc, configId asc
""",
    ),
    "q09_join_on_left_right": (
        True,
        r"""
maintenanceresources
| where type =~ 'microsoft.maintenance/configurationassignments'
| extend p = tolower(tostring(properties.maintenanceConfigurationId))
| join kind=inner (resources
    | where type =~ 'microsoft.maintenance/maintenanceconfigurations'
    | extend cid = tolower(id), scope = tostring(properties.maintenanceScope), recur = tostring(properties.maintenanceWindow.recurEvery)
    | project cid, cfg = name, scope, recur) on $left.p == $right.cid
| summarize assigned = dcount(tostring(properties.resourceId)) by cfg, scope, recur
| order by cfg asc
""",
    ),
    "q10_join_resourcecontainers": (
        True,
        r"""
Resources
| where type =~ 'microsoft.compute/virtualmachines'
| join kind=leftouter (ResourceContainers | where type =~ 'microsoft.resources/subscriptions' | project subscriptionName = name, subscriptionId) on subscriptionId
| summarize vms = count() by subscriptionName
| order by subscriptionName asc
""",
    ),
    "q11_join_dup_columns": (
        True,
        r"""
Resources
| where type =~ 'microsoft.compute/disks'
| join kind=inner (resourcecontainers | where type == 'microsoft.resources/subscriptions') on subscriptionId
| project id, subscriptionName = name1, state = tostring(properties1.state)
| order by id asc
""",
    ),
    "q12_mvexpand_disks": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| mv-expand disk = properties.storageProfile.dataDisks
| project vm = name, lun = toint(disk.lun), diskName = tostring(disk.name), gb = toint(disk.diskSizeGB)
| order by vm asc, lun asc
""",
    ),
    "q13_mvexpand_zones_null": (
        False,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| mv-expand zone = zones to typeof(string)
| summarize n = count() by zone
""",
    ),
    "q14_bag_keys_expand": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines' and isnotnull(tags)
| extend key = bag_keys(tags)
| mv-expand key to typeof(string)
| summarize n = count() by key
| order by n desc, key asc
""",
    ),
    "q15_in_ci_and_not_in": (
        False,
        r"""
resources
| where type in~ ('Microsoft.Compute/virtualMachines', 'Microsoft.HybridCompute/machines')
| where location !in~ ('EASTUS', 'WestEurope')
| summarize n = count() by type, location
""",
    ),
    "q16_has_contains_startswith": (
        True,
        r"""
resources
| where type has 'virtualmachines' and name contains 'sql' and id has 'rg-app1' and name startswith 'VM' and name !endswith '-sqlx'
| project name | order by name asc
""",
    ),
    "q17_matches_regex": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| where id matches regex @'^/subscriptions/[0-9a-f-]{36}/resourceGroups/rg-app[02]/'
| where name matches regex '^vm\\d{3}00\\d'
| project name | order by name asc
""",
    ),
    "q18_extract_split": (
        False,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| extend rg1 = tolower(extract(@'/resourceGroups/([^/]+)/', 1, id)), leaf = tostring(split(id, '/')[8]), sub = tostring(split(id, '/')[2])
| where leaf == name
| summarize n = count() by sub, rg1
""",
    ),
    "q19_parse_json_tag": (
        False,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines' and isnotempty(tags.meta)
| extend meta = parse_json(tostring(tags.meta))
| summarize n = count() by app = tostring(meta.app), tier = toint(meta.tier)
""",
    ),
    "q20_todatetime_filter_bin": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| extend created = todatetime(properties.timeCreated)
| where created >= datetime(2024-06-01) and created < datetime('2024-09-01T00:00:00Z')
| summarize n = count() by day = bin(created, 1d)
| order by day asc
""",
    ),
    "q21_dynamic_compare_literal": (
        True,
        r"""
Resources
| where type =~ 'microsoft.compute/virtualmachines'
| where properties.storageProfile.osDisk.osType == 'Windows' and properties.osProfile.windowsConfiguration.enableAutomaticUpdates == false
| project name | order by name asc
""",
    ),
    "q22_null_not_equal": (
        False,
        r"""
Resources
| where type =~ 'microsoft.compute/virtualmachines'
| where properties.osProfile.windowsConfiguration.patchSettings.patchMode != 'AutomaticByPlatform'
| count
""",
    ),
    "q23_isnull_specialized": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| where isnull(properties.osProfile) or (isnull(properties.osProfile.windowsConfiguration) and isnull(properties.osProfile.linuxConfiguration))
| project name | order by name asc
""",
    ),
    "q24_bracket_access": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| extend ring = tostring(tags['Patch Group']), size = tostring(properties['hardwareProfile']['vmSize']), nic = tostring(properties.networkProfile.networkInterfaces[0].id)
| where isnotempty(ring)
| project name, ring, size, nic
| order by name asc
""",
    ),
    "q25_array_length": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| extend n = array_length(properties.storageProfile.dataDisks)
| summarize vms = count() by n
| order by n asc
""",
    ),
    "q26_distinct_types": (
        True,
        r"""
resources | distinct type | order by type asc
""",
    ),
    "q27_top": (
        True,
        r"""
patchassessmentresources
| where type has 'patchassessmentresults'
| extend crit = toint(properties.availablePatchCountByClassification.critical), sec = toint(properties.availablePatchCountByClassification.security)
| extend score = 10 * crit + sec
| order by score desc, id asc
| limit 10
| project id, score
""",
    ),
    "q27b_top": (
        True,
        r"""
resources | where type =~ 'microsoft.compute/virtualmachines' | top 5 by name desc | project name
""",
    ),
    "q28_union_tables": (
        True,
        r"""
resources
| where type =~ 'microsoft.hybridcompute/machines'
| project name, type
| union (resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project name, type)
| summarize n = count() by type
| order by type asc
""",
    ),
    "q29_make_set_argmax": (
        True,
        r"""
patchassessmentresources
| extend vm = tolower(tostring(split(id, '/patchAssessmentResults/')[0])), at = todatetime(properties.lastModifiedDateTime)
| summarize arg_max(at, rebootPending = tobool(properties.rebootPending)), statuses = make_set(tostring(properties.status)) by subscriptionId
| extend k = array_length(statuses)
| project subscriptionId, at, k
| order by subscriptionId asc
""",
    ),
    "q30_default_table": (
        False,
        r"""
where type =~ 'microsoft.compute/virtualmachines' | summarize count()
""",
    ),
    "q31_let_and_comments": (
        False,
        r"""
// estate readiness; let statements and comments
let platform = 'AutomaticByPlatform';
let win = resources | where type =~ 'microsoft.compute/virtualmachines' | where tostring(properties.storageProfile.osDisk.osType) =~ 'Windows';
win
| where tostring(properties.osProfile.windowsConfiguration.patchSettings.patchMode) =~ platform // inline
| count
""",
    ),
    "q32_project_dynamic": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| project name, ps = properties.osProfile.windowsConfiguration.patchSettings, tags
| order by name asc
| take 50
""",
    ),
    "q33_powerstate_ext": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| extend power = tostring(split(properties.extended.instanceView.powerState.code, '/')[1])
| summarize running = countif(power == 'running'), stopped = countif(power != 'running') by resourceGroup
| order by resourceGroup asc
""",
    ),
    "q34_project_away_rename": (
        True,
        r"""
resourcecontainers
| where type =~ 'microsoft.resources/subscriptions/resourcegroups'
| extend env = tostring(tags.env)
| project-away properties, tags, sku, plan, identity, zones, tenantId, ['kind'], managedBy
| project-rename rg = name
| where env == 'prod'
| order by id asc
""",
    ),
    "q35_parse_operator": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| parse id with '/subscriptions/' sub '/resourceGroups/' rg '/providers/' *
| summarize n = count() by rg
| order by rg asc
""",
    ),
    "q36_has_any_strcat_bagpack": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines' and name has_any ('sql', 'oracle')
| extend label = strcat(name, '@', toupper(location)), meta = bag_pack('sub', subscriptionId, 'n', strlen(name))
| project label, meta
| order by label asc
""",
    ),
    "q37_mgchain_expand": (
        True,
        r"""
resourcecontainers
| where type =~ 'microsoft.resources/subscriptions'
| mv-expand mg = properties.managementGroupAncestorsChain
| where mg.name =~ 'CORP'
| project subscriptionId, mg = tostring(mg.displayName)
| order by subscriptionId asc
""",
    ),
    "q38_arc_and_azure": (
        False,
        r"""
resources
| where type in~ ('microsoft.compute/virtualmachines', 'microsoft.hybridcompute/machines')
| extend os = iff(type =~ 'microsoft.compute/virtualmachines', tostring(properties.storageProfile.osDisk.osType), tostring(properties.osType)), conf = iff(tolower(coalesce(tostring(properties.storageProfile.osDisk.osType), tostring(properties.osType))) == 'windows', properties.osProfile.windowsConfiguration, properties.osProfile.linuxConfiguration)
| extend mode = tostring(conf.patchSettings.patchMode)
| summarize n = count() by type, os = tolower(os), mode
""",
    ),
    "q39_tags_ci_group": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| summarize n = count(), names = make_list(name, 3) by env = tolower(tostring(tags.env))
| project env, n, k = array_length(names)
| order by env asc
""",
    ),
    "q40_three_table_join": (
        True,
        r"""
resources
| where type =~ 'microsoft.compute/virtualmachines'
| extend vmId = tolower(id), mode = coalesce(tostring(properties.osProfile.windowsConfiguration.patchSettings.patchMode), tostring(properties.osProfile.linuxConfiguration.patchSettings.patchMode))
| project vmId, name, subscriptionId, mode
| join kind=leftouter (maintenanceresources | where type =~ 'microsoft.maintenance/configurationassignments' | summarize cfgs = count() by vmId = tolower(tostring(properties.resourceId))) on vmId
| join kind=leftouter (patchassessmentresources | project vmId = tolower(tostring(split(id, '/patchAssessmentResults/')[0])), crit = toint(properties.availablePatchCountByClassification.critical)) on vmId
| join kind=leftouter (resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project subscriptionId, subName = name) on subscriptionId
| summarize vms = count(), noSchedule = countif(isnull(cfgs)), critical = sum(crit) by subName, mode
| order by subName asc, mode asc
""",
    ),
}

# name -> (query, code, position in the only line, token)
REFUSED: dict[str, tuple[str, str, int, str]] = {
    "b01_syntax": ("resources | where type =~", "ParserFailure", 25, "<EOF>"),
    "b02_unknown_table": ("resourcesx | take 1", "DisallowedLogicalTableName", 0, "resourcesx"),
    "b03_unknown_column": ("resources | project nosuchcolumn", "Operator_FailedToResolveEntity", 20, "nosuchcolumn"),
    "b04_unknown_function": ("resources | extend a = nosuchfunction(name)", "UnknownFunction", 23, "nosuchfunction"),
    "b05_unknown_operator": ("resources | frobnicate name", "ParserFailure", 12, "frobnicate"),
    "b06_make_series_unsupported_in_arg": (
        "resources | make-series count() default=0 on todatetime(properties.timeCreated) step 1d",
        "InvalidQueryLanguage",
        12,
        "make-series",
    ),
    "b07_evaluate": ("resources | evaluate bag_unpack(tags)", "InvalidQueryLanguage", 12, "evaluate"),
    "b08_summarize_dynamic_key": (
        "resources | summarize count() by properties.storageProfile.osDisk.osType",
        "ExpressionKeyCantBeDynamic",
        33,
        "properties",
    ),
    "b09_unterminated_string": ("resources | where name == 'abc", "ParserFailure", 26, "'abc"),
    "b10_join_dynamic_key": (
        "resources | join (maintenanceresources | extend p=properties.resourceId) on $left.id == $right.p",
        "ExpressionKeyCantBeDynamic",
        76,
        "$left",
    ),
    "b11_string_plus_int": ("resources | extend a = name + 1", "InvalidQuerySemantics", 28, "+"),
    "b13_top_two_keys": ("resources | top 3 by name asc, id asc", "ParserFailure", 29, ","),
    "b12_order_dynamic": (
        "resources | order by properties.timeCreated asc",
        "ExpressionKeyCantBeDynamic",
        21,
        "properties",
    ),
}
