"""Words of the railway."""

SHEET = """
people: driver passenger stoker signalman/signalmen=he stationmaster traveller tourist commuter engineer

animals commuters: terrier crow

places in: station tunnel depot carriage
places on: railway viaduct footbridge embankment
places at: junction kiosk terminus

things trains!: train locomotive express tram
things parts!: engine boiler brake wheel
things luggage: suitcase rucksack parcel umbrella trunk
things papers: timetable newspaper map
things works!: signal lever barrier
things fuel: coal~ steam~ oil~

events: journey departure arrival collision

qualities people: impatient sleepy late
qualities trains: fast+ rapid
qualities parts works: electric mechanical
qualities luggage: bulky
qualities papers: crumpled
qualities fuel: sooty
qualities places: draughty northern
qualities commuters: stray

do shunt: driver locomotive > carriage tram express
do inspect: stationmaster engineer > engine boiler wheel brake
do heat: stoker steam > boiler
do pull: locomotive engine > train
do burn: locomotive stoker > coal oil
do halt: signalman stationmaster > trains
do delay: signalman stationmaster > trains passenger
do pack: traveller tourist passenger > luggage
do miss: passenger commuter tourist > train express tram
do lubricate: engineer stoker > wheel engine lever with oil
do operate: signalman engineer > works brake
do consult: tourist traveller passenger > timetable map
do accelerate: trains
do hiss: boiler engine
do depart: trains passenger traveller
do whistle: locomotive stationmaster driver
do snore: passenger commuter
go speed/sped: trains
go roll: carriage train wheel
go commute: engineer
"""
