"""Words of the farm."""

SHEET = """
people: farmer shepherd milkmaid=she dairyman/dairymen=he ploughman/ploughmen=he farmhand drover shearer

animals cattle: cow calf/calves bull ox/oxen
animals flock: lamb ewe
animals fowl: hen rooster goose/geese duckling
animals mount: donkey pony

places in: barn stable meadow henhouse orchard dairy
places on: pasture haystack
places at: farmyard trough

things tools: pitchfork sickle scythe pail shovel
things crop: turnip pumpkin beet
things grain: wheat~ barley~ hay~ straw~
things produce: milk~ butter~ cheese~
things vehicles!: tractor cart plough
things parts!: fence gate

events: harvest fair drought

qualities people: muddy thrifty
qualities cattle flock mount: stubborn woolly meek
qualities fowl: plump feathery
qualities crop: juicy
qualities grain: ripe golden
qualities vehicles parts: rickety creaky
qualities places: grassy fertile

do groom: milkmaid farmhand dairyman > cow mount
do shear/sheared/shorn: shearer farmer > ewe lamb
do herd: drover shepherd > cattle flock
do plant: farmer farmhand > crop
do mow/mowed/mown: farmhand farmer > hay wheat barley with scythe
do reap: farmer farmhand > crop grain
do thresh: farmhand > wheat barley
do churn: milkmaid dairyman > butter
do mend: farmhand farmer > fence gate cart plough
do saddle: farmer drover > mount
do graze: cattle flock mount
do cackle: hen goose
do bleat: lamb ewe
go plod: ox cow donkey
do trample: cattle > crop wheat barley
go trot: mount calf
go waddle: goose duckling
"""
