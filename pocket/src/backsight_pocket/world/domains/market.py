"""Words of the market."""

SHEET = """
people: merchant customer peddler beggar cashier fruiterer butcher florist thief/thieves

animals strays: pigeon mongrel rat

places in: market square arcade alley tavern
places at: stall fountain
places on: pavement

things fruit: lemon melon banana grape pear
things wares: basket candle carpet vase necklace pot tray
things money: coin purse banknote
things goods: silk~ honey~ pepper~ wool~
things meats: ham steak
things stands!: handcart awning signboard

events: auction carnival bargain

qualities people: stingy talkative wealthy
qualities fruit: overripe sweet fragrant
qualities wares goods: costly colourful fancy
qualities money: counterfeit shiny
qualities places: bustling cobbled
qualities strays: scruffy mangy

do haggle: merchant customer peddler
do weigh: merchant fruiterer butcher cashier > fruit meats goods
do purchase: customer > fruit wares meats goods
do steal/stole/stolen: thief > money wares
do wrap: butcher florist cashier > wares meats
do carve: butcher > meats
do display: merchant florist fruiterer > wares fruit
do peck: pigeon > grape pear
do sniff: mongrel rat > ham steak melon
do cheat: thief merchant peddler > customer
do overcharge: cashier merchant > customer
do polish: merchant peddler > coin vase necklace
do beg: beggar
do gossip: customer florist butcher
do flap: awning pigeon
do flicker: candle
do creak: handcart signboard
go swoop: pigeon
go trudge: peddler beggar customer
go slink/slunk: mongrel rat thief
"""
