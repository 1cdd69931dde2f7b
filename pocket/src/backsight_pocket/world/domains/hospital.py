"""Words of the hospital."""

SHEET = """
people: doctor nurse surgeon patient dentist midwife=she chemist orderly visitor

places in: hospital ward clinic laboratory pharmacy
places at: bedside reception entrance
places on: stretcher

things instruments: thermometer syringe stethoscope scalpel microscope
things remedies: pill tablet vaccine herb ointment~ medicine~
things dressing: bandage plaster sling crutch
things linen: pillow blanket mattress towel
things equipment!: wheelchair ambulance incubator

events: operation epidemic emergency checkup

qualities people: feverish pale sleepless gentle
qualities instruments: sterile delicate
qualities remedies: bitter effective
qualities linen dressing: soft clean
qualities equipment: modern
qualities places: bright+ hygienic

do examine: doctor surgeon dentist > patient with stethoscope
do cure: doctor surgeon medicine vaccine > patient
do vaccinate: nurse doctor midwife > patient visitor
do prescribe: doctor dentist > remedies
do sterilise: nurse orderly chemist > instruments
do comfort: nurse visitor midwife > patient
do dissolve: chemist nurse > pill tablet
do adjust: nurse orderly > linen dressing wheelchair
do diagnose: doctor > patient
do unfold: nurse orderly > blanket towel stretcher
do push: orderly visitor > equipment
do inject: doctor nurse > vaccine with syringe
do recover: patient
do sneeze: patient visitor dentist
do cough: patient orderly
do faint: visitor patient
do groan: patient
do tremble: patient visitor
go limp: patient visitor
go hobble: patient
go dash: nurse doctor surgeon
"""
