"""Words of the mountain."""

SHEET = """
people: climber mountaineer guide explorer hiker skier geologist monk=he

animals beasts: ibex yak marmot leopard
animals birds: eagle vulture

places in: valley gorge chalet monastery village
places on: summit glacier peak cliff
places at: waterhole

things kit: headlamp crampon pickaxe sledge snowshoe
things rocks!: boulder crag icicle
things stones: crystal fossil
things wraps: scarf/scarves mitten jacket
things cold: snow~ ice~ lava~
things signals: flare
things huts!: shelter igloo gondola

events: avalanche blizzard expedition

qualities people: breathless adventurous frozen
qualities beasts: shaggy agile
qualities birds: majestic
qualities rocks stones: jagged volcanic
qualities kit wraps: waterproof woollen
qualities cold: powdery
qualities places: steep+ remote icy alpine
qualities huts signals: distant

do conquer: mountaineer climber explorer > summit peak cliff glacier
do explore: explorer geologist hiker > gorge glacier valley
do shatter: climber geologist > crystal icicle with pickaxe
do collect: geologist hiker > stones
do drag: explorer yak skier > sledge
do excavate: geologist monk > fossil ice snow
do fasten: skier hiker climber > crampon snowshoe scarf jacket
do warn: guide monk > climber hiker skier mountaineer
do build/built: monk explorer > shelter igloo
do loosen: mountaineer yak > boulder
do spot: eagle vulture guide > marmot
do pursue: leopard > ibex marmot
do shiver: climber hiker skier
do pray: monk
do glisten: snow ice icicle
do pant: hiker yak mountaineer
do meditate: monk
go climb: climber monk ibex explorer
go slide/slid: skier sledge boulder
go trek: hiker guide explorer
"""
