"""The tool of the shop."""

import verifiers.v1 as vf

PRICES = {"bread": "17 crowns", "tea": "23 crowns", "soap": "31 crowns"}


class PricesToolset(vf.Toolset[vf.ToolsetConfig]):
    TOOL_PREFIX = "shop"

    @vf.tool
    def price(self, name: str) -> str:
        """Look up what something costs."""
        return PRICES.get(name, "not for sale")


if __name__ == "__main__":
    PricesToolset.run()
