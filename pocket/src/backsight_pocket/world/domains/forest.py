"""Words of the forest."""

SHEET = """
people: hunter woodcutter ranger hermit poacher trapper woodsman/woodsmen=he scout

animals beasts: fox bear wolf/wolves boar badger
animals small: squirrel hedgehog rabbit
animals birds: owl raven

places in: forest clearing thicket den cave
places on: trail ridge
places at: campsite waterfall

things trees!: oak birch pine willow
things wood: log twig branch firewood~
things forage: mushroom acorn hazelnut
things kit: axe snare tent arrow torch
things homes!: nest burrow cabin

events: hunt thaw

qualities people: watchful rugged
qualities beasts: fierce cunning hairy
qualities small: timid nimble
qualities birds: nocturnal
qualities trees wood homes: mossy crooked
qualities forage: edible poisonous
qualities places: shady dense

do hew: woodcutter woodsman > log oak pine birch with axe
do gather: hermit scout ranger squirrel > forage twig firewood
do pitch: scout ranger trapper > tent
do track: hunter ranger poacher > beasts
do ensnare: trapper poacher > rabbit fox badger with snare
do ignite: scout hermit > torch firewood
do sharpen: woodcutter hunter woodsman > axe arrow
do gnaw: squirrel badger > branch acorn twig
do devour: wolf bear fox > rabbit squirrel mushroom
do guard: ranger wolf bear > den cabin nest
do growl: bear wolf badger
do howl: wolf
do hoot: owl
do hibernate: bear hedgehog badger
do rustle: branch willow oak
do topple: trees
go prowl: wolf fox bear poacher
go scurry: small
go flutter: birds
go hike: scout ranger
"""
