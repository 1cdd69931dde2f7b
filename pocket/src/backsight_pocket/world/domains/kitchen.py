"""Words of the kitchen."""

SHEET = """
people: cook chef waiter=he waitress=she baker butler=he maid=she guest caterer

animals vermin: mouse/mice cockroach
animals pets: kitten parrot

places in: kitchen pantry scullery bakery
places at: stove counter
places on: tablecloth

things food: pie cake pancake sausage biscuit omelette
things liquid: soup~ gravy~ custard~
things doughs: dough~ pastry~ batter~
things grocery: onion egg
things powder: flour~ sugar~ cinnamon~
things tools: knife/knives spoon ladle
things vessels: saucepan kettle teapot bowl
things fittings!: oven cupboard fridge

events: dinner feast banquet

qualities people: greedy
qualities food: crisp stale tasty
qualities doughs: sticky lumpy
qualities liquid: lukewarm creamy sour
qualities vessels tools: greasy dented
qualities vermin pets: sneaky
qualities places fittings: smoky spotless

do bake: baker cook chef > food
do knead: baker cook > dough pastry
do stir: cook chef maid > liquid batter with spoon ladle
do slice: cook chef maid > pie cake sausage onion with knife
do peel: cook maid > onion
do taste: people > liquid food
do serve: waiter waitress butler caterer > food soup custard
do sprinkle: baker cook > powder
do scrub: maid cook > vessels fittings
do chop: chef cook > onion sausage with knife
do whisk: cook baker > egg batter custard
do nibble: vermin pets > biscuit cake pie
do fry: cook chef > sausage egg onion pancake
do simmer: liquid
do sizzle: sausage onion
do boil: kettle soup
do squeak: mouse
go scamper: vermin kitten
"""
