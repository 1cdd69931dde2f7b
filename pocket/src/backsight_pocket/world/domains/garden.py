"""Words of the garden."""

SHEET = """
people: gardener beekeeper botanist landscaper grandmother=she grandfather=he toddler

animals insects: bee butterfly ant ladybird
animals crawlers: snail worm toad
animals birds: robin

places in: garden greenhouse pond flowerbed
places on: lawn terrace patio
places at: birdbath

things flowers: rose daisy sunflower poppy
things vegetables: cabbage lettuce cucumber radish
things tools: rake spade trowel hoe
things supplies: flowerpot seed hosepipe
things muck: compost~ soil~ moss~
things structures!: hedge trellis bush

events: drizzle frost picnic

qualities people: barefoot cheerful
qualities flowers: yellow scented
qualities vegetables: green leafy
qualities insects: striped tiny
qualities crawlers: sluggish
qualities structures: thorny overgrown
qualities muck: damp
qualities places: sunny lush
qualities tools: blunted

do prune: gardener landscaper > rose bush hedge
do sow/sowed/sown: gardener grandmother botanist > seed
do dig/dug: gardener worm > soil with spade
do pluck: toddler grandmother > flowers
do uproot: gardener toddler > vegetables flowers
do trim: gardener landscaper > hedge bush
do pollinate: bee butterfly > flowers
do paint: botanist grandfather > insects flowers
do munch: snail toddler > lettuce cabbage radish
do cultivate: botanist gardener > flowers vegetables
do arrange: grandmother landscaper > flowers flowerpot
do bloom: flowers
do wither: flowers vegetables
do buzz: bee
do chirp: birds
do sunbathe: butterfly grandfather
do sprout: seed
go slither: worm snail
go flit: butterfly ladybird robin
go toddle: toddler
"""
