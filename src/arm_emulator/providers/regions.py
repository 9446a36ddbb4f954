"""The regions that ``/locations`` lists: name, display name, geography. A selection; any other is taken too."""

REGIONS: tuple[tuple[str, str, str], ...] = (
    ("westeurope", "West Europe", "Europe"),
    ("northeurope", "North Europe", "Europe"),
    ("germanywestcentral", "Germany West Central", "Europe"),
    ("francecentral", "France Central", "Europe"),
    ("uksouth", "UK South", "UK"),
    ("swedencentral", "Sweden Central", "Europe"),
    ("eastus", "East US", "US"),
    ("eastus2", "East US 2", "US"),
    ("centralus", "Central US", "US"),
    ("southcentralus", "South Central US", "US"),
    ("westus", "West US", "US"),
    ("westus2", "West US 2", "US"),
    ("westus3", "West US 3", "US"),
    ("southeastasia", "Southeast Asia", "Asia Pacific"),
    ("eastasia", "East Asia", "Asia Pacific"),
    ("japaneast", "Japan East", "Asia Pacific"),
    ("australiaeast", "Australia East", "Asia Pacific"),
)
