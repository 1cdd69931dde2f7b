"""Words of the castle."""

SHEET = """
people nobles: king=he queen=she prince=he princess=she duke=he
people court: knight jester sentry archer herald

animals mounts: stallion mare
animals hunters: falcon hound
animals legends: dragon

places in: castle dungeon courtyard tower armoury
places at: drawbridge moat
places on: throne balcony rampart

things arms: sword shield spear bow helmet dagger
things regalia: crown sceptre robe goblet ring
things defences!: catapult cannon
things signs: banner trumpet scroll tapestry
things riches: gold~ silver~ armour~

events: joust siege coronation

qualities nobles: royal haughty
qualities court: loyal gallant
qualities arms riches: gleaming ancient
qualities regalia signs: jewelled ornate precious
qualities mounts hunters: swift noble
qualities legends: fearsome
qualities places: gloomy haunted stony
qualities defences: mighty

do rule: king queen
do defend: knight sentry archer > castle tower drawbridge
do besiege: knight duke > castle tower
do wield: knight prince > sword spear dagger
do obey: sentry knight herald > nobles
do imprison: king duke sentry > archer jester knight
do slay/slew/slain: knight prince > dragon with sword
do amuse: jester > nobles
do seize: sentry dragon duke > gold crown
do unroll: herald > scroll banner
do demolish: dragon cannon catapult > tower drawbridge
do kneel/knelt: knight herald
do reign: king queen
do boast: jester knight duke
do neigh: mounts
do roar: dragon
go gallop: mounts knight
go soar: falcon dragon
go parade: sentry nobles
go ride/rode: knight prince princess
"""
