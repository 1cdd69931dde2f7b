"""Words of the harbour."""

SHEET = """
people: sailor captain fisherman/fishermen=he smuggler docker lifeguard diver pirate ferryman/ferrymen=he

animals birds: gull pelican
animals swimmers: seal dolphin turtle whale
animals creepers: crab lobster

places in: harbour cove lagoon boathouse
places on: quay pier beach jetty island
places at: lighthouse

things boats!: ferry trawler canoe raft yacht barge
things gear: rope anchor net oar compass lifebelt flag
things catch: herring oyster sardine
things cargo: crate barrel cask
things drift!: wave iceberg

events: regatta shipwreck voyage

qualities people: seasick sunburnt
qualities boats: leaky seaworthy sleek
qualities gear: salty tarry
qualities birds swimmers creepers: playful
qualities places: windy sandy misty
qualities catch: slimy

do moor: people > boats
do launch: sailor captain lifeguard > boats
do steer: captain ferryman pirate > boats
do unload: docker sailor > cargo
do hoist: sailor captain pirate > flag
do haul: fisherman sailor docker > net anchor rope
do catch/caught: fisherman > catch with net
do row: ferryman fisherman lifeguard > canoe raft
do smuggle: smuggler pirate > cargo
do rescue: lifeguard diver > sailor fisherman ferryman
do swallow: pelican whale seal > catch
do coil: sailor docker > rope
do sink/sank: trawler raft canoe barge
do crash: wave
do splash: swimmers diver
go swim/swam: swimmers diver lifeguard
go sail: yacht ferry sailor captain pirate
go scuttle: creepers
go drift: raft iceberg canoe
"""
