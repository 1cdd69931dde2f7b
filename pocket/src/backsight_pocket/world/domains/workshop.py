"""Words of the workshop."""

SHEET = """
people: carpenter blacksmith=he apprentice plumber electrician potter cobbler glazier

animals pests: spider moth beetle

places in: workshop shed garage smithy attic
places at: workbench forge anvil
places on: shelf

things tools: hammer chisel mallet screwdriver wrench
things hardware: screw bolt hinge pipe chain
things furniture: chair stool wardrobe
things timber: plank board
things stock: glue~ clay~ leather~ varnish~ iron~
things ware: tile boot bucket
things machines!: lathe furnace generator

events: inspection breakdown

qualities people: skilful handy
qualities tools hardware: rusty sturdy sharp+
qualities furniture timber: lopsided
qualities stock: liquid brittle
qualities machines: powerful
qualities places: dusty cluttered
qualities pests: hideous
qualities ware: handmade

do repair: carpenter apprentice electrician > furniture machines ware
do assemble: carpenter apprentice > furniture
do weld: blacksmith plumber > pipe chain hinge
do tighten: plumber electrician apprentice > screw bolt with wrench screwdriver
do measure: carpenter glazier apprentice > plank board pipe
do melt: blacksmith > iron
do mould: potter > clay tile
do stitch: cobbler > boot leather
do smooth: carpenter > plank board with chisel
do bend/bent: blacksmith plumber > pipe iron chain
do invent: electrician blacksmith > machines tools
do damage: moth beetle apprentice > furniture leather board
do install: plumber electrician > machines pipe
do dismantle: apprentice electrician > machines
do hum: generator lathe electrician
do sweat: blacksmith plumber apprentice
do rumble: generator furnace
do dangle: spider chain
go crawl: spider beetle plumber
go stumble: apprentice glazier
"""
